# `checkheaders` compiles each header alone, so that whoever includes one needs to know of no other.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  common/*.h supervisor/*.h worker/*.h replicator/*.h)
set(includers)
foreach(header ${headers})
  set(includer ${CMAKE_BINARY_DIR}/checkheaders/${header}.cpp)
  file(CONFIGURE OUTPUT ${includer} CONTENT "#include \"${header}\"\n")
  list(APPEND includers ${includer})
endforeach()
add_library(checkheaders OBJECT EXCLUDE_FROM_ALL ${includers})
target_link_libraries(checkheaders PRIVATE minivault_worker minivault_supervisor minivault_client)
