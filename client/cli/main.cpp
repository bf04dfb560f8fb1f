#include "client/cli/table.h"

int main(int argc, char** argv) {
  return windlass::cli::run(argc, argv);
}
