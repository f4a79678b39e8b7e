# install() and find_package(ghosttrain): targets ghosttrain::core ... ghosttrain::train.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(_folders core kernels layers losses data train)
list(TRANSFORM _folders PREPEND ghost_ OUTPUT_VARIABLE _targets)
install(TARGETS ghosttrain RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ${_targets} ghost_options EXPORT ghosttrain ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT ghosttrain NAMESPACE ghosttrain:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ghosttrain
        FILE ghosttrain-targets.cmake)
foreach(_folder ${_folders})
  install(DIRECTORY ${_folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ghosttrain FILES_MATCHING PATTERN "*.h")
endforeach()
configure_package_config_file(cmake/ghosttrain-config.cmake.in ${PROJECT_BINARY_DIR}/ghosttrain-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ghosttrain)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ghosttrain-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ghosttrain-config.cmake ${PROJECT_BINARY_DIR}/ghosttrain-config-version.cmake
              cmake/FindStb.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/ghosttrain)
