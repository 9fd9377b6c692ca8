#include "base/spool.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "store/body.hpp"

namespace audiostore {
namespace {

std::string all_of(const store::Body& body) {
  Bytes buffer;
  return std::string(body.read(0, body.size(), buffer));
}

TEST(Spool, HoldsWhatWasAppendedAndHasNoName) {
  Spool spool("/tmp");
  spool.append("one ");
  spool.append("two");
  EXPECT_EQ(spool.size(), 7U);
  EXPECT_EQ(all_of({spool.fd(), spool.size()}), "one two");
  struct stat status {};
  ASSERT_EQ(fstat(spool.fd(), &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
}

TEST(Spool, FallsBackToTheTemporaryDirectory) {
  Spool spool("/nonexistent/directory");
  spool.append("x");
  EXPECT_EQ(spool.size(), 1U);
}

TEST(Spool, MovesWithItsFile) {
  Spool first("/tmp");
  first.append("a");
  Spool second(std::move(first));
  EXPECT_EQ(all_of({second.fd(), 1}), "a");
}

TEST(Body, ReadsPiecesOfMemoryAndOfFiles) {
  Spool spool("/tmp");
  spool.append("0123456789");
  Bytes buffer;
  EXPECT_EQ(store::Body(spool.fd(), 10).read(3, 4, buffer), "3456");
  EXPECT_EQ(store::Body("0123456789").read(3, 4, buffer), "3456");
}

TEST(Body, SaysThatItsFileBecameShorter) {
  Spool spool("/tmp");
  spool.append("0123456789");
  const store::Body body(spool.fd(), 10);
  ASSERT_EQ(ftruncate(spool.fd(), 5), 0);
  Bytes buffer;
  try {
    body.read(0, 10, buffer);
    FAIL() << "read beyond the end";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::interrupted);
  }
}

}  // namespace
}  // namespace audiostore
