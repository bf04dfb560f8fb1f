// Small files that must survive a power cut, and survive it whole.
#pragma once

#include <filesystem>

#include "crypto/bytes.h"

namespace windlass::log {

// `file` holds `text` afterwards, or what it held before: nothing in between. Throws std::system_error.
void write_durably(const std::filesystem::path& file, ByteView text);

}  // namespace windlass::log
