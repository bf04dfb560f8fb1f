// The files of migrations/, compiled in so that a binary always has the ones it was built for.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace windlass::journal {

// (number, SQL) in order of number.
const std::vector<std::pair<int, std::string_view>>& migrations();

}  // namespace windlass::journal
