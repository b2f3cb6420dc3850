# What find_package(xgrad CONFIG) needs.
include(CMakePackageConfigHelpers)
set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/xgrad)
configure_package_config_file(cmake/xgrad-config.cmake.in ${PROJECT_BINARY_DIR}/xgrad-config.cmake
  INSTALL_DESTINATION ${destination})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/xgrad-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/xgrad-config.cmake ${PROJECT_BINARY_DIR}/xgrad-config-version.cmake
  DESTINATION ${destination})
install(EXPORT xgrad NAMESPACE xgrad:: FILE xgrad-targets.cmake DESTINATION ${destination})
