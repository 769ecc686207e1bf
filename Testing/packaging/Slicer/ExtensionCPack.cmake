if(NOT COMMAND _record)
  message(FATAL_ERROR "include(\${Slicer_USE_FILE}) comes first")
endif()
_record("CPACK")
