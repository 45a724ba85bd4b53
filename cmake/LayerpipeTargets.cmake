# layerpipe_library(<folder> SOURCES ... [PUBLIC ...] [PRIVATE ...])
#
# One static library for a folder, with the alias layerpipe::<folder>. What a folder may include is what it links: headers are
# found from the root of the checkout ("model/config.h"), third-party headers only through the libraries named here.
function(layerpipe_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(layerpipe_${folder} STATIC ${ARG_SOURCES})
  add_library(layerpipe::${folder} ALIAS layerpipe_${folder})
  target_include_directories(layerpipe_${folder} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(layerpipe_${folder} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} layerpipe_options)
endfunction()

# layerpipe_precompiled_headers(<name> HEADERS ... LIBS ... [OPTIONS ...] [LIGHTLY_OPTIMIZED])
#
# Headers that take seconds to parse, parsed once for all targets that say layerpipe_use_headers(<target> <name>). The result takes
# up to 300 MB of disk, and what it holds costs every user a part of a second, so there are few of them and they hold what most users
# need. OPTIONS: of the compiler, for itself and its users, which have to agree.
#
# LIGHTLY_OPTIMIZED: with -O1 in a release build, which halves the time of compilers that spend it on parsers and messages. Its users
# are compiled so too: GCC crashes on a precompiled header of another level.
function(layerpipe_precompiled_headers name)
  cmake_parse_arguments(ARG "LIGHTLY_OPTIMIZED" "" "HEADERS;LIBS;OPTIONS" ${ARGN})
  file(CONFIGURE OUTPUT ${name}.cpp CONTENT "// A library needs a source; this one is built for its precompiled headers.\n")
  add_library(${name} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} layerpipe_options)
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
  set(options ${ARG_OPTIONS})
  if(ARG_LIGHTLY_OPTIMIZED)
    list(APPEND options "$<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>")
  endif()
  target_compile_options(${name} PRIVATE ${options})
  set_target_properties(${name} PROPERTIES LAYERPIPE_OPTIONS "${options}")
endfunction()

# layerpipe_use_headers(<target> <name>): compiles the target with precompiled headers, and with the options that go with them.
function(layerpipe_use_headers target name)
  get_target_property(options ${name} LAYERPIPE_OPTIONS)
  target_compile_options(${target} PRIVATE ${options})
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()

# A second build of the same tests (tests/mutations) reads the data of the first one.
set(LAYERPIPE_TEST_DATA "${PROJECT_SOURCE_DIR}/tests/data" CACHE PATH "The tests' data")
mark_as_advanced(LAYERPIPE_TEST_DATA)

# layerpipe_test(<name> SOURCES ... LIBS ... [LABELS unit|parity|...] [TIMEOUT seconds] [RUN_ALONE] [TENSORS]
#                [TOGETHER])
#
# A GoogleTest program; every TEST becomes a ctest entry "<name>.<Suite>.<Test>". TENSORS: its sources use those of LibTorch, so its
# precompiled headers hold them too. TOGETHER: an entry is a suite, "<name>.<Suite>", whose tests one process runs.
function(layerpipe_test name)
  cmake_parse_arguments(ARG "RUN_ALONE;TENSORS;TOGETHER" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  set(alone OFF)
  if(ARG_RUN_ALONE)
    set(alone ON)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main layerpipe_options)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  target_compile_definitions(${name} PRIVATE LAYERPIPE_TEST_DATA="${LAYERPIPE_TEST_DATA}")
  if(ARG_TENSORS)
    layerpipe_use_headers(${name} layerpipe_tensor_test_headers)
  else()
    layerpipe_use_headers(${name} layerpipe_test_headers)
  endif()
  # Threads that wait by spinning make a busy machine crawl: docs/decisions.md.
  set(environment OMP_WAIT_POLICY=passive)
  if(ARG_TOGETHER)
    set(program "${PROJECT_BINARY_DIR}/tests/${name}")
    set(properties "LABELS \"${ARG_LABELS}\" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${alone} ENVIRONMENT ${environment}")
    configure_file("${PROJECT_SOURCE_DIR}/cmake/suites_of.cmake.in" ${name}_suites.cmake @ONLY)
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake")
    return()
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${alone} ENVIRONMENT ${environment})
endfunction()
