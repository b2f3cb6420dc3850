#include "bench/process.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace bench {
namespace {

// Becomes the command; does not come back.
[[noreturn]] void become(const std::vector<std::string>& command, const Environment& environment) {
  for (const auto& [name, value] : environment)
    if (value) setenv(name.c_str(), value->c_str(), 1);
    else unsetenv(name.c_str());
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  std::perror(arguments[0]);
  _exit(127);
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

}  // namespace

Worker::Worker(const std::string& program, const Environment& environment)
    : name_(program.substr(program.rfind('/') + 1)) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socket");
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    become({program}, environment);
  }
  close(ends[1]);
  socket_ = ends[0];
  if (pid_ < 0) throw std::runtime_error("cannot start " + name_);
}

Worker::~Worker() {
  close(socket_);  // the worker reads the end of its input, and ends
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

std::string Worker::ask(const std::string& line) {
  const std::string sent = line + "\n";
  std::size_t end = std::string::npos;
  bool lives = send(socket_, sent.data(), sent.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(sent.size());
  while (lives && (end = buffer_.find('\n')) == std::string::npos) {
    char block[4096];
    const ssize_t got = recv(socket_, block, sizeof block, 0);
    lives = got > 0;
    if (lives) buffer_.append(block, static_cast<std::size_t>(got));
  }
  if (!lives) throw std::runtime_error(name_ + " died at: " + line);
  const std::string answer = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  if (answer.rfind("error ", 0) == 0) throw std::runtime_error(name_ + " at " + line + ": " + answer.substr(6));
  return answer;
}

std::vector<double> Worker::numbers(const std::string& line) {
  std::istringstream answer(ask(line));
  std::vector<double> read;
  for (std::string word; answer >> word;) read.push_back(std::strtod(word.c_str(), nullptr));  // which knows nan, inf
  return read;
}

Ended run(const std::vector<std::string>& command, const Environment& environment, const std::string& folder) {
  const pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("cannot start " + command[0]);
  if (pid == 0) {
    if (chdir(folder.c_str()) != 0) _exit(127);
    become(command, environment);
  }
  int raw = 0;
  rusage usage{};
  if (wait4(pid, &raw, 0, &usage) != pid) throw std::runtime_error("lost " + command[0]);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return {status_of(raw), seconds(usage.ru_utime) + seconds(usage.ru_stime),
          1024.0 * static_cast<double>(usage.ru_maxrss)};
}

}  // namespace bench
