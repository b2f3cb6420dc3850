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
  Store stores[2] = {};
  std::vector<std::unique_ptr<Fused>> formulas[2] = {};  // as the last step had it, by dtype

  char* slot(std::size_t k, std::size_t i, DType dtype) const {
    const Store& store = stores[dtype == f64];
    return store.memory.get() + static_cast<Size>(k) * store.stride + at[i];
  }
  Tensors slots_of(const Optimizer::Item& item, std::size_t i, Source source) const;  // their values
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

  Optimizer& optimizer;
  State& state;
  Source source;
  std::vector<std::pair<Tensor*, Tensor>> kept;
  std::vector<Pass> passes;
  Lent lent;
};

}  // namespace xgrad::optim
