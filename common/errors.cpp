#include "common/errors.h"

#include <system_error>

namespace layerpipe::common {

std::string system_error_text(int error_number) {
  return std::generic_category().message(error_number) + " (errno " + std::to_string(error_number) + ")";
}

}  // namespace layerpipe::common
