/* Faults on command, and the notices of reclaim as AWS and GCP serve them at their metadata
 * addresses. */
#include "testnet/engine/serve/routes.h"

#include <stdio.h>
#include <time.h>

static void answer_faults(struct conn *c)
{
    uint8_t storage[4096];
    struct buf body;
    buf_init_fixed(&body, storage, sizeof storage);
    enum err e = faults_write(&c->server->faults, io_now_us(c->server->loop), &body);
    conn_answer(c,
                &(struct conn_answer){.status = e == ERR_OK ? 200 : 500, .body = buf_bytes(&body)});
}

void routes_faults_get(struct conn *c)
{
    answer_faults(c);
}

void routes_faults_post(struct conn *c)
{
    uint8_t storage[256];
    char text[256];
    struct buf message;
    struct fault fault;
    buf_init_fixed(&message, storage, sizeof storage - 1);
    enum err e = faults_read(buf_bytes(&c->body), &fault, &message);
    if (e == ERR_OK)
        e = server_add_fault(c->server, &fault);
    bytes_to_str(buf_bytes(&message), text, sizeof text);
    if (e == ERR_OK)
        answer_faults(c);
    else
        routes_refuse(
            c, &(struct say_error){.status = 400, .text = message.size ? text : err_text(e)});
}

void routes_faults_delete(struct conn *c)
{
    server_clear_faults(c->server);
    answer_faults(c);
}

void routes_aws_token(struct conn *c)
{
    conn_answer(c, &(struct conn_answer){.status = 200,
                                         .content_type = "text/plain",
                                         .body = BYTES("emulated-imds-token")});
}

void routes_aws_spot(struct conn *c)
{
    struct server *s = c->server;
    const struct fault *reclaim = faults_find(&s->faults, FAULT_RECLAIM);
    if (!reclaim) {
        conn_answer(c, &(struct conn_answer){.status = 404, .content_type = "text/html"});
        return;
    }
    char when[32], body[96];
    uint64_t left_us = reclaim->until_us - io_now_us(s->loop);
    time_t end = (time_t)((io_wall_ms(s->loop) + left_us / 1000) / 1000);
    struct tm utc;
    gmtime_r(&end, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(body, sizeof body, "{\"action\":\"terminate\",\"time\":\"%s\"}", when);
    conn_answer(c, &(struct conn_answer){.status = 200, .body = bytes_from_str(body)});
}

void routes_gcp_preempted(struct conn *c)
{
    bool is_reclaimed = faults_find(&c->server->faults, FAULT_RECLAIM);
    conn_answer(c, &(struct conn_answer){.status = 200,
                                         .content_type = "application/text",
                                         .body = is_reclaimed ? BYTES("TRUE") : BYTES("FALSE")});
}
