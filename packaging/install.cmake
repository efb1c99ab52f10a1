# What `cmake --install` puts where; `make install`, the .deb, the .rpm and the Dockerfile all use it.
# Paths below the prefix follow it at the time of the installation; /etc is /etc, since the program looks there.

set(units lib/systemd/system)
set(packaging ${CMAKE_CURRENT_LIST_DIR})

install(TARGETS minivault RUNTIME DESTINATION bin)
install(FILES ${packaging}/systemd/minivault.socket DESTINATION ${units})
install(FILES ${packaging}/systemd/minivault.sysusers DESTINATION lib/sysusers.d RENAME minivault.conf)
install(FILES ${packaging}/systemd/minivault.tmpfiles DESTINATION lib/tmpfiles.d RENAME minivault.conf)
install(FILES ${packaging}/completion/minivault.bash DESTINATION share/bash-completion/completions RENAME minivault)
install(FILES ${packaging}/completion/_minivault DESTINATION share/zsh/site-functions)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${packaging}/OPERATIONS.md
  DESTINATION share/doc/minivault)

install(CODE "
  set(binary $<TARGET_FILE:minivault>)
  set(source ${CMAKE_SOURCE_DIR})
  set(units ${units})")
install(SCRIPT ${packaging}/install_made.cmake)
