#include "launch/options/overwrite_option.h"

#include "launch/options/option_values.h"

namespace layerpipe::launch {

void add_overwrite_option(const OptionGroup& group) {
  group.add_flag("--overwrite",
                 "Replace files in --out that stand in the way, also those of others and edited ones");
}

results::Overwrite read_overwrite(const OptionValues& values) {
  return values.given("--overwrite") ? results::Overwrite::kReplace : results::Overwrite::kRefuse;
}

}  // namespace layerpipe::launch
