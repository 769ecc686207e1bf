# Slicer refuses an extension whose description is incomplete.

foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if("${EXTENSION_${name}}" STREQUAL "")
    message(FATAL_ERROR "CMake variable EXTENSION_${name} is not set")
  endif()
  _record("EXTENSION" "${name}" "${EXTENSION_${name}}")
endforeach()
_record("PROJECT" "${CMAKE_PROJECT_NAME}")
