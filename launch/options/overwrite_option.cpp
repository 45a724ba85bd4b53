#include "launch/options/overwrite_option.h"

#include "launch/options/option_values.h"

namespace layerpipe::launch {

void add_overwrite_option(const OptionGroup& group, const std::string& help) {
  group.add_flag("--overwrite", help);
}

results::Overwrite read_overwrite(const OptionValues& values) {
  return values.given("--overwrite") ? results::Overwrite::kReplace : results::Overwrite::kRefuse;
}

}  // namespace layerpipe::launch
