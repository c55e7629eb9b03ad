import CKernels
import Synchronization

/// The threads of a CPU device. Devices with the same number of threads share one set, which lives as long as the process.
///
/// `@unchecked Sendable`: the C pool locks itself.
final class ThreadPool: @unchecked Sendable {
    private struct Key: Hashable {
        let threadCount: Int
        let isPinned: Bool
    }
    private static let pools = Mutex<[Key: ThreadPool]>([:])
    private let pool: OpaquePointer?

    private init(_ key: Key) { pool = ck_pool_create(Int32(key.threadCount), key.isPinned) }

    static func shared(threadCount: Int, isPinned: Bool) -> ThreadPool {
        let key = Key(threadCount: threadCount, isPinned: isPinned)
        return pools.withLock { known in
            if let pool = known[key] { return pool }
            let made = ThreadPool(key)
            known[key] = made
            return made
        }
    }

    func run(_ count: Int, _ body: @Sendable (Int) -> Void) {
        guard count > 1, let pool else {
            for index in 0..<count { body(index) }
            return
        }
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { context in
                ck_pool_run(
                    pool, Int64(count),
                    { context, index in
                        context!.assumingMemoryBound(to: (@Sendable (Int) -> Void).self).pointee(Int(index))
                    }, UnsafeMutableRawPointer(mutating: context))
            }
        }
    }
}
