// Whether the log shows everybody the same: a peer's checkpoint, the newest that this user remembers, and the
// ledger's own are held against one another.
#pragma once

#include "client/cli/context.h"
#include "client/split_view.h"

namespace windlass::cli {

// `verify FILE` of a checkpoint: consistent with what is remembered and with what the ledger shows now, or
// not. Evidence of a split view goes to `evidence_file`; empty: a name of its own in the working directory.
Result<int> verify_checkpoint_note(Context& context, const std::string& note,
                                   const std::string& evidence_file, const log::VerifierKey& vkey);
// `verify FILE` of such evidence, offline.
Result<int> verify_evidence(Context& context, const std::string& text, const log::VerifierKey& vkey);

// For commands that have just proven something against a checkpoint of the ledger's (empty: the newest is
// asked for): holds it against the remembered one, and remembers it. Failures: a split view, fewer entries
// than were seen before, and a proof that does not hold; not that the ledger cannot be asked.
Result<void> watch_for_split_view(Context& context, const log::VerifierKey& vkey, std::string note = "");

}  // namespace windlass::cli
