import Foundation

/// Drives everything else out of the processor's caches by writing a buffer larger than any of them.
final class CacheEvictor {
    private var bytes = [UInt8](repeating: 1, count: 256 << 20)
    private var round: UInt8 = 1

    func evict() {
        round &+= 1
        bytes.withUnsafeMutableBytes { _ = memset($0.baseAddress!, Int32(round), $0.count) }
    }
}
