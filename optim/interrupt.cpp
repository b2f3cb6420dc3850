#include "optim/interrupt.hpp"

#include <pthread.h>

#include <atomic>
#include <csignal>
#include <mutex>

namespace xgrad::optim {
namespace {

std::mutex mutex;
[[maybe_unused]] const int fork_handled =
    pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });
int alive = 0;
struct sigaction before;  // written while no handler of ours is there
std::atomic<int> interrupts{0};
std::atomic<bool> pending{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void handle(int signal) {
  if (pending.exchange(true)) {  // nobody came to an end since the first one
    sigaction(signal, &before, nullptr);
    raise(signal);
  } else {
    ++interrupts;
  }
}

}  // namespace

Interrupts::Interrupts(bool on) : on_(on) {
  if (!on_) return;
  const std::lock_guard lock(mutex);
  if (alive++ == 0) {
    pending = false;
    struct sigaction ours = {};
    ours.sa_handler = handle;
    sigemptyset(&ours.sa_mask);
    ours.sa_flags = SA_RESTART;
    sigaction(SIGINT, nullptr, &before);
    sigaction(SIGINT, &ours, nullptr);
  }
  seen_ = interrupts;
}

Interrupts::~Interrupts() {
  if (!on_) return;
  const std::lock_guard lock(mutex);
  if (requested()) pending = false;
  if (--alive == 0) {
    struct sigaction now;
    sigaction(SIGINT, nullptr, &now);
    if (now.sa_handler == handle) sigaction(SIGINT, &before, nullptr);  // else somebody has set another meanwhile
  }
}

bool Interrupts::requested() const noexcept { return on_ && interrupts != seen_; }

}  // namespace xgrad::optim
