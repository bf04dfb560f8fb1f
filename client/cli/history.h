// Histories in files.
#pragma once

#include "client/cli/context.h"

namespace windlass::cli {

// `verify FILE` of a statement, offline; `bytes` is what `file` was read from.
Result<int> verify_statement(Context& context, const pb::StatementFile& file, const std::string& bytes,
                             const log::VerifierKey& vkey, const std::string& auditor_vkey);

}  // namespace windlass::cli
