// Steps that all ranks take, or none.
#pragma once

#include <functional>
#include <string>

#include "comm/communicator.h"

namespace layerpipe::comm {

// Runs `body` on every rank and waits for all. When it threw an Error somewhere, every rank throws an
// AgreedError with the text of the lowest such rank, which is named unless all ranks say the same. Other
// exceptions pass, and on a rank alone all do. Called by all ranks; `what` is said when a rank does not come.
void run_collectively(Communicator& communicator, const std::string& what, const std::function<void()>& body);

}  // namespace layerpipe::comm
