// Chains (kernels.hpp) as machine code: what the interpreter does step by step for some vectors at a time is a loop without
// conditions. Its bits are the interpreter's.
#pragma once

#include "autodiff/engine/chain_formula.hpp"

namespace xgrad::engine {

// Of steps up to one that ends, for whole strips of elements. `work`: steps times elements that it is about to serve. Null
// where the machine has no AVX2, and where it is not worth it yet: what comes again and again is, at last. Code is made once for
// the process, by the forms of the steps and by which of their places are the same; addresses are read from those. What sums are
// added to (kept_sums bytes of scratch, at the step's y) is 0 before and folded after it by the caller.
kernels::Chain chain_code(const kernels::ChainStep* steps, DType dtype, Size work, const ReadLater& later);

inline constexpr Size strip_bytes = 256, kept_sums = 128;

}  // namespace xgrad::engine
