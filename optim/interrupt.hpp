// Ctrl-C while something runs. Private to optim/.
#pragma once

namespace xgrad::optim {

// While one of these is alive, the first SIGINT only sets requested(); a second one does what it did before. What
// handled the signal is put back when the last one ends. Any number, on any threads: all of them see the interrupt.
class Interrupts {
 public:
  explicit Interrupts(bool on);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  bool requested() const noexcept;

 private:
  bool on_;
  int seen_ = 0;
};

}  // namespace xgrad::optim
