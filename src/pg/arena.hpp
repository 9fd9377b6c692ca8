// C++ objects that live as long as a memory context: an executor node's state, a function's cache. They are destroyed
// when the context is reset or deleted, which happens after errors too.
#pragma once

#include <memory>

#include "pg/guard.hpp"

namespace audiostore::pg {

// Lives in the memory context itself; owns the object until reset().
template <class T>
class Owned {
 public:
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  void reset() noexcept { delete std::exchange(object_, nullptr); }

 private:
  template <class U>
  friend Owned<U>* own(MemoryContext context, std::unique_ptr<U> object);

  MemoryContextCallback callback_;
  T* object_;
};

template <class T>
Owned<T>* own(MemoryContext context, std::unique_ptr<T> object) {
  auto* owned = static_cast<Owned<T>*>(call([&] { return MemoryContextAllocZero(context, sizeof(Owned<T>)); }));
  owned->object_ = object.release();
  owned->callback_.func = [](void* argument) { static_cast<Owned<T>*>(argument)->reset(); };
  owned->callback_.arg = owned;
  MemoryContextRegisterResetCallback(context, &owned->callback_);
  return owned;
}

}  // namespace audiostore::pg
