cmake_policy(VERSION 3.25)
# Installs BUILD into a scratch prefix, builds SOURCE (or the programs in CONTRACT, where it is given) against it, and
# runs what was built.
if(CONTRACT AND NOT EXISTS ${CONTRACT})
  message("skipped: there is no folder ${CONTRACT}")
  return()
endif()
set(prefix ${SCRATCH}/prefix)
file(REMOVE_RECURSE ${SCRATCH})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
set(flags "-Wall -Wextra")
if(SANITIZE)
  string(APPEND flags " -fsanitize=${SANITIZE}")
endif()
set(toolchain "")
if(TOOLCHAIN)
  set(toolchain -DCMAKE_TOOLCHAIN_FILE=${TOOLCHAIN})
endif()
string(REPLACE "|" ";" prefixes "${PREFIXES}")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${SCRATCH}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release
  -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_CXX_FLAGS=${flags}
  "-DCMAKE_PREFIX_PATH=${prefix};${prefixes}" -DCMAKE_RUNTIME_OUTPUT_DIRECTORY=${SCRATCH}/bin -DCONTRACT=${CONTRACT}
  ${toolchain} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${SCRATCH}/build -j2 COMMAND_ERROR_IS_FATAL ANY)

file(GLOB programs ${SCRATCH}/bin/*)
file(MAKE_DIRECTORY ${SCRATCH}/run)
foreach(program ${programs})
  message("-- ${program}")
  execute_process(COMMAND ${EMULATOR} ${program} WORKING_DIRECTORY ${SCRATCH}/run COMMAND_ERROR_IS_FATAL ANY)
endforeach()
