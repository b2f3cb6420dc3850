#include "autodiff/new_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace xgrad {
namespace {

// Where a chain of symbolic links leads, whether something is there or not.
std::filesystem::path target_of(std::filesystem::path path) {
  std::error_code no_link;
  for (auto to = read_symlink(path, no_link); !no_link; to = read_symlink(path, no_link))
    path = path.parent_path() / to;
  return path;
}

void lock(int fd) {
  while (::flock(fd, LOCK_EX) != 0 && errno == EINTR) {
  }
}

std::string link_to(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace

NewFile::NewFile(const std::string& path, const char* op, Source source, bool nameless)
    : path_(path), op_(op), source_(source) {
  const auto broken = [&](const std::string& what) { fail(source.named(op), "{}: {}", path, what); };
  const auto refused = [&] { broken(fmt::format("cannot write there: {}", std::strerror(errno))); };
  struct stat there;
  const bool exists = ::stat(path.c_str(), &there) == 0;
  if (!exists && errno != ENOENT) refused();
  if (exists && S_ISDIR(there.st_mode)) broken("this is a directory; give a file's name");
  in_place_ = exists && !S_ISREG(there.st_mode);
  if (in_place_) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) refused();
    return;
  }
  const std::filesystem::path target = target_of(path), folder = target.parent_path();
  constexpr std::size_t longest = 200;  // of the 255 bytes of a name
  target_ = target.string();
  temporary_ = (folder / (target.filename().string().substr(0, longest) + ".xgrad.tmp")).string();
  const char* const in = folder.empty() ? "." : folder.c_str();
  folder_ = ::open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0 && errno == EACCES) folder_ = ::open(in, O_PATH | O_DIRECTORY | O_CLOEXEC);  // it may not be listed
  if (folder_ < 0) refused();
  const mode_t mode = exists ? 0600 : 0666;
  try {
    if (!(nameless && open_nameless(mode)) && !open_named(mode)) refused();
    if (exists && ::fchmod(fd_, there.st_mode & 0777) != 0)
      broken(fmt::format("cannot keep the file's mode: {}", std::strerror(errno)));
  } catch (...) {
    close();
    throw;
  }
}

NewFile::~NewFile() { close(); }

void NewFile::close() noexcept {
  if (named_) ::unlink(temporary_.c_str());
  if (fd_ >= 0) {
    ::flock(fd_, LOCK_UN);  // a child of this process may have the file open, too
    ::close(fd_);
  }
  if (folder_ >= 0) ::close(folder_);
}

bool NewFile::open_nameless(mode_t mode) {
  fd_ = ::openat(folder_, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
  if (fd_ < 0) return false;
  if (::access(link_to(fd_).c_str(), F_OK) == 0) return true;
  ::close(fd_);  // without /proc it could not be named
  fd_ = -1;
  return false;
}

// Under a lock, which goes with its process: who has it may take over what another one left. (Who waited finds that the
// file has got its final name meanwhile, and makes another.)
bool NewFile::open_named(mode_t mode) {
  for (;;) {
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd_ < 0) return false;
    lock(fd_);
    struct stat own, named;
    if (::fstat(fd_, &own) == 0 && ::lstat(temporary_.c_str(), &named) == 0 && own.st_dev == named.st_dev &&
        own.st_ino == named.st_ino) {
      named_ = true;
      return ::ftruncate(fd_, 0) == 0;
    }
    ::close(fd_);
  }
}

// A nameless file gets a name at first beside the target, for only rename() replaces; under a lock of the folder, which
// goes with its process, so that what lies there is nobody's.
bool NewFile::take_name() {
  lock(folder_);
  ::unlink(temporary_.c_str());
  bool done = ::linkat(AT_FDCWD, link_to(fd_).c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0;
  if (done && std::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int why = errno;
    ::unlink(temporary_.c_str());
    errno = why;
    done = false;
  }
  const int why = errno;
  ::flock(folder_, LOCK_UN);
  errno = why;
  return done;
}

void NewFile::write(const void* bytes, std::size_t n) {
  constexpr std::size_t most_at_once = 1u << 30;
  for (const char* at = static_cast<const char*>(bytes); n > 0;) {
    const ssize_t done = ::write(fd_, at, std::min(n, most_at_once));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail_writing();
    at += done;
    n -= static_cast<std::size_t>(done);
  }
}

// All that takes memory has come before.
void NewFile::commit() {
  if (in_place_) return;
  if (::fsync(fd_) != 0) fail_writing();
  if (!named_) {
    if (!take_name()) fail_writing();
  } else if (std::rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail_writing();
  }
  named_ = false;
  ::fsync(folder_);  // the new name survives a power cut; where that is not known, no harm
}

void NewFile::fail_writing() {
  fail(source_.named(op_), "{}: writing failed: {}; the old file, if any, is as it was", path_, std::strerror(errno));
}

}  // namespace xgrad
