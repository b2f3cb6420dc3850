# How every file of the library is compiled. Fused and unfused results have the same bits only without contraction;
# loops with sqrt vectorise only without errno; thread-local storage by function call is too slow for small tensors.
set(XGRAD_LIBRARY_OPTIONS -ffp-contract=off -fno-math-errno -fno-semantic-interposition -fno-plt
  -ftls-model=initial-exec -fvisibility=hidden)

# Where <xgrad/...> is found in the tree, as in an installed package: links to the folders, and copies of what the
# install puts elsewhere, the umbrella headers.
set(XGRAD_INCLUDE ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${XGRAD_INCLUDE}/xgrad)
configure_file(${CMAKE_CURRENT_LIST_DIR}/xgrad.hpp ${XGRAD_INCLUDE}/xgrad/xgrad.hpp COPYONLY)

# xgrad_library(name [FOLDERS names...] [SOURCES globs...] [WITHOUT names...] [LINKS targets...] [PRIVATE_LINKS targets...]
#   [PRIVATE_HEADERS names...])
# The library of one top-level folder: xgrad_<name>, alias xgrad::<name>. Its sources and headers are the folder's own and
# those of its FOLDERS; the headers are public but for the private ones: <xgrad/name/part.hpp>, and <xgrad/name.hpp>, which
# includes them; each must compile by itself: as
# the first that its own source includes, or by the target all_verify_interface_header_sets. Sources write public headers so, and private ones as "name/folder/part.hpp". WITHOUT
# names sources that are left out. What a public header declares is exported, and nothing else: each says so.
function(xgrad_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FOLDERS;SOURCES;WITHOUT;LINKS;PRIVATE_LINKS;PRIVATE_HEADERS")
  list(TRANSFORM arg_FOLDERS APPEND /*.cpp OUTPUT_VARIABLE folder_sources)
  list(TRANSFORM arg_FOLDERS APPEND /*.hpp OUTPUT_VARIABLE folder_headers)
  file(GLOB sources CONFIGURE_DEPENDS *.cpp ${folder_sources} ${arg_SOURCES})
  file(GLOB headers CONFIGURE_DEPENDS *.hpp ${folder_headers})
  list(TRANSFORM arg_WITHOUT PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM sources ${arg_WITHOUT})
  list(TRANSFORM arg_PRIVATE_HEADERS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(REMOVE_ITEM headers ${arg_PRIVATE_HEADERS})
  set_property(GLOBAL APPEND PROPERTY XGRAD_PUBLIC_HEADERS ${headers})
  list(REMOVE_ITEM headers ${CMAKE_CURRENT_SOURCE_DIR}/${name}.hpp)
  foreach(header ${headers})
    file(STRINGS ${header} lines REGEX "^#pragma GCC visibility")
    file(STRINGS ${header} declares REGEX "^namespace xgrad")
    list(LENGTH lines count)
    if(declares AND NOT count EQUAL 2)
      message(FATAL_ERROR "${header}: a public header has `#pragma GCC visibility push(default)` after its includes, and "
        "`#pragma GCC visibility pop` as its last line; else nothing of it is exported (a private one is listed in PRIVATE_HEADERS)")
    endif()
  endforeach()
  set(first_of_own_source "")
  foreach(header ${headers})
    cmake_path(REPLACE_EXTENSION header LAST_ONLY cpp OUTPUT_VARIABLE source)
    cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE path)
    if(source IN_LIST sources)
      file(STRINGS ${source} include REGEX "^#include" LIMIT_COUNT 1)
      if(include STREQUAL "#include <xgrad/${path}>")
        list(APPEND first_of_own_source ${header})
      endif()
    endif()
  endforeach()
  list(REMOVE_ITEM headers ${first_of_own_source})
  list(TRANSFORM headers REPLACE ^${PROJECT_SOURCE_DIR} ${XGRAD_INCLUDE}/xgrad)
  list(TRANSFORM first_of_own_source REPLACE ^${PROJECT_SOURCE_DIR} ${XGRAD_INCLUDE}/xgrad)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${XGRAD_INCLUDE}/xgrad/${name} SYMBOLIC)
  configure_file(${name}.hpp ${XGRAD_INCLUDE}/xgrad/${name}.hpp COPYONLY)

  set(target xgrad_${name})
  add_library(${target} ${sources})
  add_library(xgrad::${name} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${XGRAD_INCLUDE}
    FILES ${XGRAD_INCLUDE}/xgrad/${name}.hpp ${headers})
  target_sources(${target} PUBLIC FILE_SET compiled TYPE HEADERS BASE_DIRS ${XGRAD_INCLUDE} FILES ${first_of_own_source})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE ${XGRAD_LIBRARY_OPTIONS})
  target_link_libraries(${target} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  set_property(GLOBAL APPEND PROPERTY XGRAD_OBJECTS $<TARGET_OBJECTS:${target}>)
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    INSTALL_RPATH $ORIGIN
    VERIFY_INTERFACE_HEADER_SETS ON
    INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
  install(TARGETS ${target} EXPORT xgrad
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILE_SET compiled DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# The instruction sets, as autodiff/arches.hpp lists them: the first list is x86-64's, the second all others'.
file(STRINGS ${PROJECT_SOURCE_DIR}/autodiff/arches.hpp lists REGEX "EACH\\([a-z0-9]+ __VA_OPT__")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(GET lists 0 arches)
else()
  list(GET lists 1 arches)
endif()
string(REGEX MATCHALL "EACH\\([a-z0-9]+" arches "${arches}")
list(TRANSFORM arches REPLACE "EACH\\(" "" OUTPUT_VARIABLE XGRAD_ARCHES)

# xgrad_per_instruction_set(name sources...): compiles the sources once for each, with XGRAD_ARCH its name, into the
# library of that folder. They hold what is in a namespace of that name, or has internal linkage, and nothing else.
function(xgrad_per_instruction_set name)
  set(flags_avx2 -mavx2 -mfma -mprfchw)
  set(flags_avx512 -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprfchw)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # GCC 12 warns of its own AVX-512 intrinsics (PR 105593)
    list(APPEND flags_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  find_package(xsimd REQUIRED)
  foreach(arch ${XGRAD_ARCHES})
    set(target xgrad_${name}_${arch})
    add_library(${target} OBJECT ${ARGN})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${XGRAD_INCLUDE})
    target_compile_definitions(${target} PRIVATE XGRAD_ARCH=${arch})
    target_compile_options(${target} PRIVATE ${flags_${arch}} ${XGRAD_LIBRARY_OPTIONS})
    if(XGRAD_SANITIZE AND NOT XGRAD_SANITIZE_KERNELS)
      target_compile_options(${target} PRIVATE -fno-sanitize=all -O2)
    endif()
    target_link_libraries(${target} PRIVATE fmt::fmt xsimd)
    target_sources(xgrad_${name} PRIVATE $<TARGET_OBJECTS:${target}>)
    set_property(GLOBAL APPEND PROPERTY XGRAD_OBJECTS $<TARGET_OBJECTS:${target}>)
    set_property(GLOBAL APPEND PROPERTY XGRAD_ISOLATED $<TARGET_OBJECTS:${target}>)
  endforeach()
endfunction()
