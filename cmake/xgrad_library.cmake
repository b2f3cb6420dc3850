# How every file of the library is compiled. Fused and unfused results have the same bits only without contraction;
# loops with sqrt vectorise only without errno.
set(XGRAD_LIBRARY_OPTIONS -ffp-contract=off -fno-math-errno -fno-semantic-interposition -fno-plt)

# xgrad_library(name [SOURCES globs...] [LINKS targets...] [PRIVATE_LINKS targets...] [PRIVATE_HEADERS names...])
# The library of one top-level folder: xgrad_<name>, alias xgrad::<name>. Its headers are the folder's own *.hpp but for
# the private ones; each must compile by itself (target all_verify_interface_header_sets).
function(xgrad_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;PRIVATE_LINKS;PRIVATE_HEADERS")
  file(GLOB sources CONFIGURE_DEPENDS *.cpp ${arg_SOURCES})
  file(GLOB headers CONFIGURE_DEPENDS *.hpp)
  list(TRANSFORM arg_PRIVATE_HEADERS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM headers ${arg_PRIVATE_HEADERS})

  if(NOT sources)  # TEMPORARY
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp "")
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/empty.cpp)
  endif()
  set(target xgrad_${name})
  add_library(${target} ${sources})
  add_library(xgrad::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE ${XGRAD_LIBRARY_OPTIONS})
  target_link_libraries(${target} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH $ORIGIN
    VERIFY_INTERFACE_HEADER_SETS ON)
  install(TARGETS ${target} EXPORT xgrad FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xgrad)
  set_property(GLOBAL APPEND PROPERTY XGRAD_PUBLIC_HEADERS ${headers})
endfunction()
