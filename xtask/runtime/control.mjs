// What tests and the bench ask of a running Worker, over HTTP on a loopback port:
//   POST /pids                                   {node, runtime}
//   POST /objects                                {<class>: [id, …]}
//   POST /evict  {name?|id?, class?, sockets?}   puts objects out of memory (all of them by default)
//   POST /cron   {cron, time?}                   runs the scheduled handler, answers {outcome}
//   POST /queue  {queue, messages: […]}          sends messages through the producer binding
//
// Failure: an error is a 500 with {error}; nothing here outlives the request.
import http from "node:http";
import { fire } from "./crons.mjs";

/** Ids of all objects that have state, by class. */
async function objects({ miniflare, classes }) {
  const found = {};
  for (const name of classes) found[name] = await miniflare.listDurableObjectIds(name);
  return found;
}

/** Answers how many objects were in memory and now are not. */
async function evict(worker, { name, id, class: wanted, sockets = "hibernate" }) {
  let evicted = 0;
  for (const [className, ids] of Object.entries(await objects(worker))) {
    if (wanted !== undefined && wanted !== className) continue;
    const targets = name !== undefined ? [{ name }] : (id === undefined ? ids : [id]).map((id) => ({ id }));
    for (const target of targets) {
      try {
        await worker.miniflare.unsafeEvictDurableObject(worker.script, className, { ...target, webSockets: sockets });
        evicted += 1;
      } catch (error) {
        if (!String(error?.message).includes("not currently running")) throw error;
      }
    }
  }
  return { evicted };
}

async function answer(worker, request, body) {
  const { miniflare, runtimePid } = worker;
  switch (`${request.method} ${request.url}`) {
    case "POST /pids":
      return { node: process.pid, runtime: runtimePid() };
    case "POST /objects":
      return objects(worker);
    case "POST /evict":
      return evict(worker, body);
    case "POST /cron":
      return fire(miniflare, body.cron, body.time === undefined ? new Date() : new Date(body.time));
    case "POST /queue": {
      const producer = await miniflare.getQueueProducer(body.queue);
      for (const message of body.messages) await producer.send(message);
      return { sent: body.messages.length };
    }
    default:
      throw new Error(`no such control: ${request.method} ${request.url}`);
  }
}

/**
 * Listens on a free loopback port and answers its address.
 * @param worker {miniflare, script: its name, classes: of its objects, runtimePid: () => pid}
 */
export async function startControl(worker) {
  const server = http.createServer(async (request, response) => {
    let status = 200;
    let result;
    try {
      let text = "";
      for await (const chunk of request) text += chunk;
      result = await answer(worker, request, text === "" ? {} : JSON.parse(text));
    } catch (error) {
      status = 500;
      result = { error: String(error?.message ?? error) };
    }
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(result ?? {}));
  });
  await new Promise((ready, failed) => server.once("error", failed).listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${server.address().port}`;
}
