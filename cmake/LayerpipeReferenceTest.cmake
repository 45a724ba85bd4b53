set(LAYERPIPE_REFERENCE_PYTHON "" CACHE FILEPATH
    "A python with the reference's packages (Pillow, numpy …), for the tests that compare with it; without it they are skipped")

# layerpipe_reference_test(<name> COMMAND <script.py> args... [TIMEOUT seconds])
#
# A Python script that compares this build with the reference; ctest label "parity". Reported as skipped, by its name, when
# LAYERPIPE_REFERENCE_PYTHON is not set.
function(layerpipe_reference_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "COMMAND" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(LAYERPIPE_REFERENCE_PYTHON)
    add_test(NAME ${name} COMMAND "${LAYERPIPE_REFERENCE_PYTHON}" ${ARG_COMMAND})
  else()
    add_test(NAME ${name} COMMAND sh -c "echo 'Set the CMake variable LAYERPIPE_REFERENCE_PYTHON to run this.'; exit 77")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS parity SKIP_RETURN_CODE 77 TIMEOUT ${ARG_TIMEOUT}
                       ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;OMP_WAIT_POLICY=passive")
endfunction()
