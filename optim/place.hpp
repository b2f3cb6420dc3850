// What stands around an optimizer, with its state; and its part of a step. Private to optim/.
#pragma once

#include <xgrad/optim/around.hpp>

#include <xgrad/autodiff/memory.hpp>
#include "optim/pass.hpp"
#include "optim/whole.hpp"

namespace xgrad::optim {

struct Place {
  std::size_t number;
  engine::Own<Surround> rule;
  Surround::Manner manner;
  Size t = 0;
  Tensors shared = {};
  // by item: of a rule that works before steps the slots are tensors; of one that works after them they lie in memory, as those
  // of an elementwise rule
  std::vector<Tensors> slots = {};
  std::vector<Size> at = {};
  std::vector<char> begun =
      {};  // by item, where there are slots: have they been worked on, are they more than first values?
  Store stores[2] = {};
  std::vector<std::unique_ptr<Fused>> formulas[2] = {};  // as the last step had it, by dtype

  char* slot(std::size_t k, std::size_t i, DType dtype) const {
    const Store& store = stores[dtype == f64];
    return store.memory.get() + static_cast<Size>(k) * store.stride + at[i];
  }
  Tensors slots_of(const Optimizer::Item& item, std::size_t i, Source source) const;  // their values
  bool has_state(std::size_t i) const { return begun.empty() || begun[i] != 0; }
  void take_first(const Optimizer::Item& item, std::size_t i, Source source);  // of the weights as they are
};

// Gradients as the rules have made them lie in the variables for as long as it lives.
struct Optimizer::Ahead {
  Ahead(Optimizer& optimizer, Source source);

  Verdict verdict = Verdict::step;
  void after_whole(Whole& whole);  // of whole tensors: what is to be stored is worked on before it is
  void finish();                   // nothing here fails: the passes over memory, and what is kept
  void keep();                     // where it waits

 private:
  struct Lent {
    struct Entry {
      const Parameters::Entry* of;
      GradientValue gradient;
      void swap() noexcept { swap_gradient(*of, gradient); }
    };
    std::vector<Entry> list;
    ~Lent();
  };
  struct Now;
  Verdict before(Place& place, std::vector<Now>& now);
  Verdict gradients();
  void prepare_passes();
  std::vector<Place*> acting() const;
  void begin(Place& place, std::size_t i);
  void begin_after();
  void check_left(const Place& place, const Tensor& before, const Tensor& after) const;

  Optimizer& optimizer;
  State& state;
  Source source;
  std::vector<std::pair<Tensor*, Tensor>> kept;
  std::vector<std::pair<Place*, std::size_t>> begun;
  std::vector<Pass> passes;
  Lent lent;
};

}  // namespace xgrad::optim
