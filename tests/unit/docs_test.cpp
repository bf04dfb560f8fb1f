// Documentation and program, held together.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "ledger/core/error.h"

namespace windlass {
namespace {

std::string page(const std::string& name) {
  const char* root = std::getenv("WINDLASS_SOURCE_DIR");
  std::ifstream in((root ? std::string(root) : std::string(".")) + "/docs/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Documentation, ListsEveryErrorWithItsWords) {
  std::string api = page("api.md");
  ASSERT_FALSE(api.empty());
  for (int i = 1; i < static_cast<int>(core::Error::count); ++i) {
    const auto& info = core::info(static_cast<core::Error>(i));
    EXPECT_NE(api.find("`" + std::string(info.reason) + "`"), std::string::npos) << info.reason;
    EXPECT_NE(api.find(std::string(info.message)), std::string::npos) << info.reason;
  }
}

}  // namespace
}  // namespace windlass
