import HearthFleet
import HearthPolicy
import Logging
import ServiceLifecycle

/// Registers the node and asks for work.
struct PollService: Service {
    let store: AgentStore
    let client: CoordinatorClient
    let supervisor: JobSupervisor
    let registration: @Sendable () async -> NodeRegistration?
    let isReady: @Sendable () async -> Bool
    let link: CoordinatorLink
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var registered: NodeRegistration?
            var longestWait = 10.0
            var backoff = Backoff()
            while !Task.isCancelled {
                do {
                    guard let registration = await registration() else {
                        try await Task.sleep(for: .milliseconds(100))
                        continue
                    }
                    // A device that may no longer be used, or may again, is said at once.
                    if await !link.isRegistered || registration != registered {
                        _ = try await client.post("/v1/nodes", registration, as: ReportAck.self)
                        registered = registration
                        await link.registered(logger)
                    }
                    try await poll(registration.node, &longestWait)
                    backoff.succeeded()
                } catch is CancellationError {
                    return
                } catch {
                    await link.failed(error, logger)
                    try? await Task.sleep(for: backoff.failed(limit: 1.5 * longestWait))
                }
            }
        }
    }

    /// - Parameter longestWait: for how long the coordinator may hold an answer back: a fraction of the lease that it gives.
    private func poll(_ node: String, _ longestWait: inout Double) async throws {
        let jobs = try await store.activeJobs()
        let active = jobs.map(\.assignment.id)
        let capacity = await isReady() ? max(0, JobSupervisor.capacity - active.count) : 0
        // A busy node asks again soon: it may be free by then.
        let request = PollRequest(
            waitSeconds: capacity > 0 ? longestWait : 0.5, capacity: capacity,
            spooledReports: try await store.pendingCount(), active: active)
        let asked = MonotonicClock.seconds
        let response = try await client.post(
            "/v1/nodes/\(node)/poll", request,
            timeoutSeconds: Int64((request.waitSeconds + 2 * longestWait).rounded(.up)), as: PollResponse.self)
        if let seconds = response.leaseSeconds {
            longestWait = max(0.1, min(10, seconds / 4))
            supervisor.renewLeases(of: jobs, asked: asked, seconds: seconds)
        }
        for assignment in response.assignments {
            // The id becomes a folder's name: no coordinator may choose another folder with it.
            guard FleetName.isValid(assignment.job), assignment.spec.problem == nil else {
                logger.error("refused an assignment", metadata: ["job": "\(assignment.job.prefix(140))"])
                continue
            }
            guard try await store.takeOn(assignment) else {
                // It had heard everything before it asked: this one it does not remember.
                if request.spooledReports == 0, !active.contains(assignment.id) {
                    try await store.sayAgain(assignment)
                }
                continue
            }
            logger.info("took on job", metadata: ["job": "\(assignment.job)"])
        }
        for job in response.cancellations { try await supervisor.cancel(job) }
        for attempt in response.revocations ?? [] { try await supervisor.revoke(attempt) }
    }
}
