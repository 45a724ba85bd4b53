// Writes docs/errors.md from the table: write_errors_page FILE
#include <iostream>

#include "common/files.h"
#include "tests/launch/refusals/refusal_case.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_errors_page FILE\n";
    return 2;
  }
  layerpipe::common::write_file_atomically(
      argv[1], layerpipe::testing::errors_page(layerpipe::testing::all_refusal_cases()));
}
