# Settings that every target of this project shares.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

find_program(LAYERPIPE_CCACHE ccache)
if(LAYERPIPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # A precompiled header carries time stamps that ccache has to be told to look past. Paths relative to the checkout let a fresh
  # clone use what another one compiled. The inode cache spares it the hash of a precompiled header for each source.
  set(launcher "${CMAKE_COMMAND}" -E env
      "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_INODECACHE=true "${LAYERPIPE_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${launcher}")
endif()

# What every target of ours is compiled with: an interface library, so that nothing leaks into what is found outside.
add_library(layerpipe_options INTERFACE)
target_compile_options(layerpipe_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wno-missing-field-initializers -fno-math-errno>)
if(LAYERPIPE_CCACHE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(layerpipe_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
if(LAYERPIPE_WARNINGS_AS_ERRORS)
  target_compile_options(layerpipe_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(LAYERPIPE_SANITIZE)
  target_compile_options(layerpipe_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${LAYERPIPE_SANITIZE} -fno-omit-frame-pointer>)
  target_link_options(layerpipe_options INTERFACE -fsanitize=${LAYERPIPE_SANITIZE})
endif()
# Coverage for libFuzzer in everything that is fuzzed; tests/fuzz adds the fuzzer itself. The first find ends the program.
if(LAYERPIPE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "LAYERPIPE_FUZZ needs clang, for libFuzzer. Use the preset \"fuzz\" (Debian: clang-14 libclang-rt-14-dev).")
  endif()
  target_compile_options(layerpipe_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link -fno-sanitize-recover=all>)
endif()
