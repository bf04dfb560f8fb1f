// Histories in files.
#pragma once

#include "client/cli/context.h"
#include "client/history.h"

namespace windlass::cli {

// All of it, of a KEY argument.
Result<History> read_history_of(Context& context, const std::string& who);

// `verify FILE` of a statement, offline; `bytes` is what `file` was read from.
Result<int> verify_statement(Context& context, const pb::StatementFile& file, const std::string& bytes,
                             const log::VerifierKey& vkey, const std::string& auditor_vkey);

}  // namespace windlass::cli
