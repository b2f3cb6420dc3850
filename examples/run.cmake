# Runs PROGRAM, a list with its arguments, in an empty FOLDER; afterwards the files WRITES must be there, whole: those
# that are pictures where gnuplot is.
cmake_policy(VERSION 3.25)
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${FOLDER} COMMAND_ERROR_IS_FATAL ANY)

find_program(GNUPLOT gnuplot NO_CACHE)
foreach(name ${WRITES})
  set(path ${FOLDER}/${name})
  if(name MATCHES "png$" AND NOT GNUPLOT)
    message("not looked for, without gnuplot: ${name}")
    continue()
  endif()
  if(NOT EXISTS ${path})
    message(FATAL_ERROR "${name} was not written")
  endif()
  file(READ ${path} bytes HEX)
  if(name MATCHES "png$" AND NOT (bytes MATCHES "^89504e470d0a1a0a" AND bytes MATCHES "49454e44ae426082$"))
    message(FATAL_ERROR "${name} is no whole PNG picture")
  elseif(name MATCHES "safetensors$" AND NOT bytes MATCHES "^................7b22")  # its length, {"
    message(FATAL_ERROR "${name} does not begin as a .safetensors file")
  endif()
endforeach()
