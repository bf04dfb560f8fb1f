// A program of the core alone: that it links shows that the core needs nothing else.
#include <iostream>

#include "ledger/core/apply.h"

int main() {
  using namespace windlass::core;
  State state(true);
  Outcome outcome = apply(state, Command{.body = Genesis{}}, 0);
  if (!outcome.accepted()) return 1;
  std::cout << "sequence " << outcome.sequence.value << '\n';
}
