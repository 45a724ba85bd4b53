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

# layerpipe_precompiled_headers(<name> HEADERS ... LIBS ...)
#
# Headers that take seconds to parse, parsed once for all targets that say target_precompile_headers(<target> REUSE_FROM <name>).
# The result takes 400 MB of disk, so there are few of them; their users must be compiled with the same options.
function(layerpipe_precompiled_headers name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBS" ${ARGN})
  file(CONFIGURE OUTPUT ${name}.cpp CONTENT "// A library needs a source; this one is built for its precompiled headers.\n")
  add_library(${name} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} layerpipe_options)
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# A second build of the same tests (tests/mutations) reads the data of the first one.
set(LAYERPIPE_TEST_DATA "${PROJECT_SOURCE_DIR}/tests/data" CACHE PATH "The tests' data")
mark_as_advanced(LAYERPIPE_TEST_DATA)

# layerpipe_test(<name> SOURCES ... LIBS ... [LABELS unit|parity|...] [TIMEOUT seconds] [RUN_ALONE])
#
# A GoogleTest program; every TEST becomes a ctest entry "<name>.<Suite>.<Test>".
function(layerpipe_test name)
  cmake_parse_arguments(ARG "RUN_ALONE" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
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
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${alone}
                       # Threads that wait by spinning make a busy machine crawl: docs/decisions.md.
                       ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()
