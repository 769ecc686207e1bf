# A stand-in for Slicer's build tree: the macros that an extension calls, with Slicer's own checks of their arguments. They record what
# they are given (in ${CMAKE_BINARY_DIR}/record.txt) and install what Slicer would install.

set(_standin "${CMAKE_CURRENT_LIST_DIR}")
set(Slicer_USE_FILE "${_standin}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${_standin}/GenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${_standin}/ExtensionCPack.cmake")
set(Slicer_USE_PYTHONQT ON)
set(Slicer_FOUND ON)
