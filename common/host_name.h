// The machine's name for itself. Standard library and POSIX only.
#pragma once

#include <string>

namespace layerpipe::common {

// As gethostname() gives it, cut behind 255 bytes; empty when the system does not tell.
std::string host_name();

}  // namespace layerpipe::common
