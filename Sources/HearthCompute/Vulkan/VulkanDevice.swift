import CVulkan
import Synchronization

/// An open Vulkan device: memory, one queue, one timeline.
///
/// `@unchecked Sendable`: handles never change after `init`; what does change is in `state` behind its mutex, which
/// also serialises the queue.
package final class VulkanDevice: @unchecked Sendable {
    let physical: VulkanPhysicalDevice
    let pipelines: PipelineLibrary
    private let device: UnsafeMutablePointer<cvk_device>
    private let state: Mutex<State>
    /// Host memory that transfers pass through and that none fills or empties now.
    let staging = Mutex<[Piece]>([])

    /// The driver calls at which a device may be lost.
    package enum Call: Sendable { case allocate, submit, wait }

    private struct State {
        var submittedValue: UInt64 = 0
        var idle: [cvk_recording] = []
        /// Recordings whose submission nobody holds any more, reusable once the timeline has passed them.
        var retired: [(value: UInt64, recording: cvk_recording)] = []
        /// Memory that nobody holds any more and that work up to a value of the timeline may still use.
        var condemned: [(value: UInt64, buffer: cvk_buffer)] = []
        /// Bytes of every tensor in device memory, by its memory's handle.
        var allocations: [UInt: Int] = [:]
        /// The call that found the device gone.
        var lost: DeviceError?
        /// Results that the driver's next calls give instead of their own, by call: how tests lose a device.
        var injected: [Call: VkResult] = [:]
        var pace: SubmitPace
    }

    init(_ physical: VulkanPhysicalDevice) throws(DeviceError) {
        self.physical = physical
        state = Mutex(State(pace: SubmitPace(isSoftware: physical.description.kind == .software)))
        var features = physical.info.features
        device = .allocate(capacity: 1)
        device.initialize(to: cvk_device())
        let result = cvk_create_device(physical.handle, physical.info.compute_family, &features, device)
        guard result == VK_SUCCESS else {
            device.deallocate()
            throw DeviceError(
                .unusable, "opening \(physical.description.selector) (\(physical.description.name)) failed",
                vkResult: result.rawValue)
        }
        pipelines = PipelineLibrary(device, identity: physical.identity)
    }

    deinit {
        _ = device.pointee.vk.vkDeviceWaitIdle(device.pointee.handle)
        pipelines.destroy()
        let unused = staging.withLock { $0.map(\.buffer) } + state.withLock { $0.condemned.map(\.buffer) }
        unused.forEach(destroy)
        state.withLock { state in
            for recording in state.idle + state.retired.map(\.recording) {
                withUnsafePointer(to: recording) { cvk_destroy_recording(device, $0) }
            }
        }
        cvk_destroy_device(device)
        device.deallocate()
    }

    var handle: UnsafePointer<cvk_device> { UnsafePointer(device) }

    // MARK: Memory

    func allocate(_ byteCount: Int, _ location: cvk_location) throws(DeviceError) -> cvk_buffer {
        try checkAlive()
        // Drivers that overcommit would give the memory and lose the device at its first use.
        if location == CVK_DEVICE, isShort(byteCount) {
            // What was let go of may still be in use.
            try waitIdle()
            reap()
            if isShort(byteCount) { throw DeviceError(.outOfMemory, outOfMemory(byteCount, physical.freeByteCount)) }
        }
        var buffer = cvk_buffer()
        let result = outcome(of: .allocate) { cvk_create_buffer(device, UInt64(byteCount), location, &buffer) }
        if result == VK_SUCCESS {
            let key = UInt(bitPattern: buffer.memory)
            if location == CVK_DEVICE { state.withLock { $0.allocations[key] = byteCount } }
            return buffer
        }
        try note(result, outOfMemory(byteCount, physical.freeByteCount))
        return buffer
    }

    private func isShort(_ byteCount: Int) -> Bool { physical.freeByteCount.map { UInt64(byteCount) > $0 } ?? false }

    /// Frees memory as soon as the device is past all that was submitted.
    func free(_ buffer: cvk_buffer) {
        state.withLock { $0.condemned.append(($0.submittedValue, buffer)) }
        reap()
    }

    private func destroy(_ buffer: cvk_buffer) {
        let key = UInt(bitPattern: buffer.memory)
        state.withLock { $0.allocations[key] = nil }
        withUnsafePointer(to: buffer) { cvk_destroy_buffer(device, $0) }
    }

    /// What was asked for, used and free, and the largest tensors.
    private func outOfMemory(_ byteCount: Int, _ free: UInt64?) -> String {
        let allocations = state.withLock { $0.allocations.values.sorted(by: >) }
        let largest = allocations.prefix(3).map(String.init).joined(separator: ", ")
        let description = physical.description
        return "allocating \(byteCount) bytes on \(description.selector): "
            + "\(free.map(String.init) ?? "an unknown number of") bytes free of \(description.memoryByteCount), "
            + "\(allocations.reduce(0, +)) used by \(allocations.count) tensors"
            + (largest.isEmpty ? "" : ", the largest of \(largest)")
    }

    // MARK: Loss

    /// What `call` gives, or what a test has injected in its place.
    private func outcome(of call: Call, _ body: () -> VkResult) -> VkResult {
        state.withLock { $0.injected.removeValue(forKey: call) } ?? body()
    }

    package func inject(_ result: Int32, at call: Call) {
        state.withLock { $0.injected[call] = VkResult(rawValue: result) }
    }

    /// As `check`; a lost device is remembered, and nothing is asked of it again.
    private func note(_ result: VkResult, _ call: @autoclosure () -> String) throws(DeviceError) {
        do throws(DeviceError) { try check(result, call()) } catch {
            if error.code == .deviceLost {
                // A lost device answers at once.
                _ = device.pointee.vk.vkDeviceWaitIdle(device.pointee.handle)
                state.withLock { $0.lost = error }
            }
            throw error
        }
    }

    private func checkAlive() throws(DeviceError) {
        guard let lost = state.withLock({ $0.lost }) else { return }
        throw DeviceError(
            .deviceLost,
            "\(physical.description.selector) was lost (\(lost.message)): reopen it and make its tensors anew",
            vkResult: lost.vkResult)
    }

    // MARK: Submission

    /// - Parameter isReplayed: it may be submitted more than once.
    func beginRecording(isReplayed: Bool = false) throws(DeviceError) -> VulkanRecording {
        try checkAlive()
        reap()
        var raw = state.withLock { $0.idle.popLast() } ?? cvk_recording()
        if raw.pool == nil { try check(cvk_create_recording(device, &raw), "creating a command buffer") }
        try check(cvk_begin(device, &raw, !isReplayed), "beginning a command buffer")
        return VulkanRecording(device: self, raw: raw, isReplayed: isReplayed)
    }

    /// - Returns: what the timeline reaches when the commands have run. Their buffers are held until they are submitted.
    func submit(_ raw: cvk_recording) throws(DeviceError) -> UInt64 {
        try checkAlive()
        let (result, value) = state.withLock { state in
            let value = state.submittedValue + 1
            let injected = state.injected.removeValue(forKey: .submit)
            let result = injected ?? withUnsafePointer(to: raw) { cvk_submit(device, $0, value) }
            if result == VK_SUCCESS { state.submittedValue = value }
            return (result, value)
        }
        try note(result, "submitting to \(physical.description.selector)")
        return value
    }

    func wait(for value: UInt64) throws(DeviceError) {
        let tenMinutes: UInt64 = 600_000_000_000
        try checkAlive()
        let result = outcome(of: .wait) { cvk_wait(device, value, tenMinutes) }
        try note(result, "waiting for \(physical.description.selector)")
    }

    // MARK: Pace

    /// Modelled work that one submission should hold to end within `budget`.
    func workPerSubmit(_ budget: Duration, of shader: String? = nil) -> Double {
        state.withLock { $0.pace.work(in: budget, of: shader) }
    }

    func learnPace(_ work: SubmitPace.Work, took duration: Duration) {
        state.withLock { $0.pace.learn(work, took: duration) }
    }

    func waitIdle() throws(DeviceError) { try wait(for: state.withLock { $0.submittedValue }) }

    /// A recording that was never submitted goes back to the pool.
    func recycle(_ raw: cvk_recording) { state.withLock { $0.idle.append(raw) } }

    /// A recording whose submission is no longer held: reused once the device is past `value`.
    func retire(_ raw: cvk_recording, value: UInt64) { state.withLock { $0.retired.append((value, raw)) } }

    /// The last submission that the device is past; 0 where it does not say, as a lost one.
    var completedValue: UInt64 {
        var done: UInt64 = 0
        let (handle, timeline) = (device.pointee.handle, device.pointee.timeline)
        let result = device.pointee.vk.vkGetSemaphoreCounterValue(handle, timeline, &done)
        return result == VK_SUCCESS ? done : 0
    }

    /// Lets go of everything the device has finished with.
    func reap() {
        let completed = completedValue
        let finished = state.withLock { state in
            let done = state.lost == nil ? completed : .max
            defer { state.condemned.removeAll { $0.value <= done } }
            state.idle += state.retired.filter { $0.value <= done }.map(\.recording)
            state.retired.removeAll { $0.value <= done }
            return state.condemned.filter { $0.value <= done }
        }
        for (_, buffer) in finished { destroy(buffer) }
    }
}
