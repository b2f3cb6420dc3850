// What the pool and the opened libraries do around a fork().
#pragma once

namespace xgrad::kernels {

// Nobody is inside a pass, or inside a call of a library, and the child's pool begins without threads.
void before_fork();
void after_fork(bool in_child);

}  // namespace xgrad::kernels
