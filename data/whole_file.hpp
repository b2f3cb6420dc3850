// A file's bytes. Private to data/.
#pragma once

#include <string>

#include <xgrad/autodiff/error.hpp>

namespace xgrad::data {

// One that is missing, no file (a folder, a pipe) or cannot be read is an Error that names it.
std::string whole_file(const char* op, const std::string& path, Source source);

}  // namespace xgrad::data
