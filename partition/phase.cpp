#include "partition/phase.h"

namespace layerpipe::partition {

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::kEncode:
      return "encode";
    case Phase::kDenoise:
      return "denoise";
    case Phase::kDecode:
      return "decode";
  }
  return "?";
}

}  // namespace layerpipe::partition
