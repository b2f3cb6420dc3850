// A second thread that does the same beside the first, again and again.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace bench {

class Beside {
 public:
  explicit Beside(std::function<void()> work)
      : work_(std::move(work)), thread_([this] {
          for (unsigned seen = 0;;) {
            while (begun_.load(std::memory_order_acquire) == seen) std::this_thread::yield();
            ++seen;
            if (over_) return;
            work_();
            ended_.store(seen, std::memory_order_release);
          }
        }) {}
  ~Beside() {
    over_ = true;
    begin();
    thread_.join();
  }
  Beside(const Beside&) = delete;
  void begin() { begun_.fetch_add(1, std::memory_order_release); }
  void end() const {
    while (ended_.load(std::memory_order_acquire) != begun_.load(std::memory_order_relaxed)) std::this_thread::yield();
  }

 private:
  std::function<void()> work_;
  std::atomic<unsigned> begun_{0}, ended_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace bench
