#include "common/spread.h"

#include "common/errors.h"

namespace layerpipe::common {

std::vector<bool> spread(std::int64_t chosen, std::int64_t count) {
  ensure(chosen >= 0 && chosen <= count, "more things are to be chosen than there are");
  std::vector<bool> is_chosen;
  for (std::int64_t i = 0; i < count; ++i) is_chosen.push_back((i + 1) * chosen / count > i * chosen / count);
  return is_chosen;
}

}  // namespace layerpipe::common
