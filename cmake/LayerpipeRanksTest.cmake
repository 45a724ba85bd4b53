# layerpipe_ranks_test(<name> TARGET <program> [ARGUMENTS ...] RANKS 2 3 4 [LABELS ...] [TIMEOUT seconds])
#
# A program, with GoogleTest's exit codes, whose processes are the ranks of mpirun: one ctest entry "<name>.<n>_ranks" for every number of ranks.
function(layerpipe_ranks_test name)
  cmake_parse_arguments(ARG "" "TARGET;TIMEOUT" "ARGUMENTS;RANKS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS multirank)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 180)
  endif()
  foreach(ranks IN LISTS ARG_RANKS)
    # More ranks than cores share them; root is who runs in a container.
    add_test(NAME "${name}.${ranks}_ranks"
      COMMAND "${MPIEXEC_EXECUTABLE}" --allow-run-as-root --oversubscribe --bind-to none -n ${ranks} $<TARGET_FILE:${ARG_TARGET}>
              ${ARG_ARGUMENTS})
    set_tests_properties("${name}.${ranks}_ranks" PROPERTIES
      LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} PROCESSORS 2 SKIP_RETURN_CODE 77 ENVIRONMENT "OMP_WAIT_POLICY=passive;OMP_NUM_THREADS=1")
  endforeach()
endfunction()
