// The provider `s3`: AWS and everything that speaks its protocol.
#pragma once

#include "store/config.hpp"

namespace audiostore::store::s3 {

extern const Provider kS3Provider;

}  // namespace audiostore::store::s3
