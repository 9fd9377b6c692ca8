// The parent's side against decoders that mean harm (test/mischief): each attempt is one error, and nothing survives
// it.
#include "sandbox/decoder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "sandbox/lies.hpp"

namespace audiostore::sandbox {
namespace {

namespace wire = audio::wire;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using wire::Operation;

std::string mischief_directory() { return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "mischief"; }

class Memory {
 public:
  explicit Memory(std::string_view content = {}) : fd_(memfd_create("test", MFD_CLOEXEC)) {
    EXPECT_EQ(write(fd_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  }
  ~Memory() { close(fd_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  int fd() const { return fd_; }
  off_t size() const {
    struct stat status {};
    fstat(fd_, &status);
    return status.st_size;
  }

 private:
  int fd_;
};

void wait(int fd, milliseconds timeout) {
  pollfd state{fd, POLLIN, 0};
  poll(&state, 1, static_cast<int>(timeout.count()));
}

// Also true where it is a zombie that nobody has reaped: that would be a bug as well.
bool exists(int pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

class DecoderTest : public testing::Test {
 protected:
  wire::Reply call(const std::string& verb, Operation operation = Operation::info) {
    Memory const input(verb);
    wire::Request request{};
    request.operation = operation;
    request.input = {verb.size(), verb.size(), 0};
    request.max_output = 1000;
    request.points = 2;
    bool const writes = operation != Operation::info && operation != Operation::measure;
    return decoder_.call(request, input.fd(), writes ? output_.fd() : -1, limits_, [&](int fd, milliseconds timeout) {
      pid_ = decoder_.pid();
      wait(fd, timeout);
    });
  }

  // The call fails, and the helper is no more.
  Error failure(const std::string& verb, Operation operation = Operation::info) {
    try {
      call(verb, operation);
    } catch (const Error& error) {
      EXPECT_EQ(decoder_.pid(), -1) << verb;
      EXPECT_GT(pid_, 0) << verb;
      EXPECT_FALSE(exists(pid_)) << verb;
      return error;
    }
    ADD_FAILURE() << verb << " did no harm";
    return {ErrorKind::internal, "no error"};
  }

  Decoder decoder_{mischief_directory()};
  Limits limits_{.timeout = 20s};
  Memory output_;
  int pid_ = -1;
};

TEST_F(DecoderTest, RepliesAndIsKeptForTheNextCall) {
  EXPECT_EQ(decoder_.pid(), -1);
  EXPECT_EQ(call("honest").info.channels, 2);
  int const pid = decoder_.pid();
  EXPECT_EQ(call("honest 7", Operation::transcode).output_size, 7U);
  EXPECT_EQ(output_.size(), 7);
  EXPECT_EQ(decoder_.pid(), pid);
}

TEST_F(DecoderTest, EndsWithItsOwner) {
  int pid = -1;
  {
    Decoder decoder(mischief_directory());
    Memory const input("honest");
    wire::Request request{};
    request.operation = Operation::info;
    request.input = {6, 6, 0};
    decoder.call(request, input.fd(), -1, limits_, wait);
    pid = decoder.pid();
    EXPECT_TRUE(exists(pid));
  }
  EXPECT_FALSE(exists(pid));
}

TEST_F(DecoderTest, EveryForbiddenSystemCallIsItsLast) {
  for (const char* const verb :
       {"open",           "openat",      "openat2",      "stat",        "unlink",  "socket",
        "connect",        "sendmsg",     "fork",         "clone",       "clone3",  "exec",
        "ptrace",         "kill_parent", "tgkill_other", "read_memory", "prlimit", "prctl",
        "sigaction",      "memfd",       "io_uring",     "fcntl",       "ioctl",   "executable_memory",
        "make_executable"}) {
    Error const error = failure(verb);
    EXPECT_EQ(error.kind(), ErrorKind::decoder_died) << verb;
    EXPECT_EQ(error.detail(), "It was ended by SIGSYS: it tried what a decoder has no need of.") << verb;
  }
}

TEST_F(DecoderTest, HasNoOtherDescriptors) {
  int const mine = open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  EXPECT_EQ(failure("descriptors").message(), "0 1 2 3 4");
  close(mine);
}

TEST_F(DecoderTest, HasAnEmptyEnvironment) { EXPECT_EQ(failure("environment").message(), "empty"); }

TEST_F(DecoderTest, LibrariesThatLookForFilesFindNone) { EXPECT_EQ(failure("polite_open").message(), "refused"); }

TEST_F(DecoderTest, EveryLieIsAnErrorThatSaysSo) {
  for (std::size_t i = 0; i < test::lies().size(); i++) {
    ASSERT_EQ(ftruncate(output_.fd(), 0), 0);
    lseek(output_.fd(), 0, SEEK_SET);
    Error const error = failure("lie " + std::to_string(i), test::lies()[i].operation);
    EXPECT_EQ(error.kind(), ErrorKind::decoder_died);
    EXPECT_EQ(error.message(), "the audio decoder sent a reply that makes no sense");
    EXPECT_TRUE(error.detail().starts_with("Wrong is: " + std::string(test::lies()[i].name))) << error.detail();
  }
}

TEST_F(DecoderTest, RecordsOfTheWrongShapeAreLies) {
  for (const char* const verb : {"short", "long", "byte", "zeros", "with_descriptor"}) {
    EXPECT_EQ(failure(verb).message(), "the audio decoder sent a reply that makes no sense") << verb;
  }
}

// Whether it is there when the next call begins or comes a moment later.
TEST_F(DecoderTest, AReplyThatNobodyAskedForIsNotTheNextCalls) {
  call("twice");
  int const pid = decoder_.pid();
  try {
    EXPECT_EQ(call("honest 3", Operation::transcode).output_size, 3U);
  } catch (const Error& error) {
    EXPECT_EQ(error.detail(), "Wrong is: output_size.");
  }
  EXPECT_NE(decoder_.pid(), pid);
  EXPECT_FALSE(exists(pid));
}

TEST_F(DecoderTest, ItsOwnEndsAreErrorsThatSayHow) {
  EXPECT_EQ(failure("exit").detail(), "It exited with code 3.");
  EXPECT_EQ(failure("abort").detail(), "It was ended by SIGABRT.");
  EXPECT_EQ(failure("crash").detail(), "It was ended by SIGSEGV.");
  EXPECT_EQ(failure("overflow_stack").detail(), "It was ended by SIGSEGV.");
  EXPECT_EQ(failure("close").kind(), ErrorKind::decoder_died);
}

TEST_F(DecoderTest, TheDeadlineEndsIt) {
  limits_.timeout = 300ms;
  for (const char* const verb : {"spin", "hang"}) {
    auto const began = std::chrono::steady_clock::now();
    Error const error = failure(verb);
    EXPECT_EQ(error.kind(), ErrorKind::decoder_limit);
    EXPECT_EQ(error.message(), "the audio decoder took too long");
    EXPECT_NE(error.hint().find("audiostore.decoder_timeout"), std::string::npos);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 300ms);
  }
}

TEST_F(DecoderTest, TheKernelEndsItWhereNobodyLooks) {
  limits_.timeout = 500ms;
  Memory const input("spin");
  wire::Request request{};
  request.operation = Operation::info;
  request.input = {4, 4, 0};
  decoder_.start(request, input.fd(), -1, limits_);
  wait(decoder_.wait_fd(), 10s);
  ASSERT_FALSE(decoder_.step());
  // Readable within the processor time it may take (rounded up), although nobody has looked at the clock.
  pollfd state{decoder_.wait_fd(), POLLIN, 0};
  ASSERT_EQ(poll(&state, 1, 30'000), 1);
  ASSERT_TRUE(decoder_.step());
  EXPECT_THROW(
      {
        try {
          decoder_.take();
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::decoder_limit);
          throw;
        }
      },
      Error);
}

TEST_F(DecoderTest, MemoryIsLimited) {
  limits_.memory = std::uint64_t{32} << 20;
  for (const char* const verb : {"allocate", "allocate_honestly"}) {
    Error const error = failure(verb);
    EXPECT_EQ(error.kind(), ErrorKind::decoder_limit) << verb << ": " << error.detail();
    EXPECT_EQ(error.detail(), "It may have 32 MB.");
    EXPECT_EQ(error.hint(), "Raise audiostore.decoder_memory.");
  }
}

TEST_F(DecoderTest, OutputIsLimited) {
  EXPECT_EQ(failure("write_without_end", Operation::transcode).kind(), ErrorKind::too_large);
  EXPECT_LT(output_.size(), 1000 + (128 << 10));
  EXPECT_EQ(failure("grow", Operation::transcode).kind(), ErrorKind::too_large);
  EXPECT_EQ(failure("honest 2000", Operation::transcode).kind(), ErrorKind::decoder_died);
}

TEST_F(DecoderTest, ADescriptorThatIsWrittenToFromItsMiddle) {
  ASSERT_EQ(write(output_.fd(), "before", 6), 6);
  EXPECT_EQ(call("honest 4", Operation::transcode).output_size, 4U);
  EXPECT_EQ(output_.size(), 10);
}

TEST_F(DecoderTest, TheOtherReaderStartsAnew) {
  ASSERT_EQ(write(output_.fd(), "before", 6), 6);
  EXPECT_EQ(call("other", Operation::transcode).output_size, 5U);
  EXPECT_EQ(output_.size(), 11);
  EXPECT_EQ(failure("always_other").detail(), "Wrong is: status: there is no other reader.");
}

TEST_F(DecoderTest, DamagedAudioIsItsOwnError) {
  try {
    call("damaged");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_audio);
  }
  EXPECT_EQ(call("honest").info.channels, 2);
}

TEST_F(DecoderTest, AHelperThatWasKilledBetweenCallsIsReplaced) {
  call("honest");
  int const pid = decoder_.pid();
  kill(pid, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(call("honest").info.channels, 2);
  EXPECT_NE(decoder_.pid(), pid);
  EXPECT_FALSE(exists(pid));
}

TEST_F(DecoderTest, AHelperThatIsKilledDuringACallIsOneError) {
  Memory const input("spin");
  wire::Request request{};
  request.operation = Operation::info;
  request.input = {4, 4, 0};
  try {
    decoder_.call(request, input.fd(), -1, limits_, [&](int fd, milliseconds timeout) {
      kill(decoder_.pid(), SIGKILL);
      wait(fd, timeout);
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.detail(), "It was ended by SIGKILL.");
  }
  EXPECT_EQ(call("honest").info.channels, 2);
}

TEST_F(DecoderTest, WhoeverWaitsMayCancel) {
  Memory const input("spin");
  wire::Request request{};
  request.operation = Operation::info;
  request.input = {4, 4, 0};
  int pid = -1;
  EXPECT_THROW(decoder_.call(request, input.fd(), -1, limits_,
                             [&](int, milliseconds) {
                               pid = decoder_.pid();
                               throw std::runtime_error("enough");
                             }),
               std::runtime_error);
  EXPECT_FALSE(exists(pid));
  EXPECT_FALSE(decoder_.busy());
  EXPECT_EQ(call("honest").info.channels, 2);
}

TEST_F(DecoderTest, SeveralGoOnAtATime) {
  Decoder second(mischief_directory());
  Memory const input("honest");
  wire::Request request{};
  request.operation = Operation::info;
  request.input = {6, 6, 0};
  decoder_.start(request, input.fd(), -1, limits_);
  second.start(request, input.fd(), -1, limits_);
  EXPECT_THROW(second.start(request, input.fd(), -1, limits_), Error);
  for (Decoder* const decoder : {&decoder_, &second}) {
    while (!decoder->step()) wait(decoder->wait_fd(), 10s);
    EXPECT_EQ(decoder->take().info.channels, 2);
  }
  EXPECT_NE(decoder_.pid(), second.pid());
}

TEST_F(DecoderTest, AMissingProgramIsNamed) {
  Decoder decoder("/nowhere");
  try {
    decoder.start({}, 0, -1, limits_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "could not start the audio decoder");
    EXPECT_NE(error.detail().find("/nowhere/audiostore-decoder"), std::string::npos);
  }
  EXPECT_FALSE(decoder.busy());
}

}  // namespace
}  // namespace audiostore::sandbox
