// NewFile: a file that takes its name when it is whole. Private to the libraries.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include <xgrad/autodiff/error.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

// Bytes that replace the file at `path`, or become it, in one step: by commit(). Until then nothing is changed there, and
// a process that is killed leaves nothing behind, for the file has no name (O_TMPFILE). Where a file system has no such
// files, and in the moment of a replacement, there is <path>.xgrad.tmp, which the next NewFile of that path takes over.
// A device or a pipe is written as it is. Symbolic links are followed, and a file that is replaced keeps its mode.
class NewFile {
 public:
  // `op` is who writes, for messages. `nameless` false: as on a file system without O_TMPFILE; for tests.
  NewFile(const std::string& path, const char* op, Source source, bool nameless = true);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  void write(const void* bytes, std::size_t n);
  int descriptor() const { return fd_; }
  void commit();

 private:
  void close() noexcept;
  bool open_nameless(mode_t mode);
  bool open_named(mode_t mode);
  bool take_name();
  [[noreturn]] void fail_writing();

  std::string path_, target_, temporary_;
  const char* op_;
  Source source_;
  int fd_ = -1, folder_ = -1;
  bool in_place_ = false, named_ = false;
};

}  // namespace xgrad

#pragma GCC visibility pop
